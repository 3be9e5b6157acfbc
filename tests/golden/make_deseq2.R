# Reference results for test_deseq2.py, computed by R's DESeq2 on counts simulated here.
#
#   Rscript make_deseq2.R [folder]     (default: the current folder)
#
# Writes deseq2_counts.tsv, deseq2_samples.tsv, deseq2_fits.tsv, deseq2_results.tsv and deseq2_trend.tsv,
# and into the library dispersion_residuals.tsv. Debian: r-bioc-deseq2. apeglm is not packaged there: the
# shrunken fold changes are the mode of its posterior (Zhu, Ibrahim & Love 2019, doi
# 10.1093/bioinformatics/bty895), found by R's optim from several starts.

suppressPackageStartupMessages(library(DESeq2))

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
library_folder <- file.path(folder, "..", "..", "workflow", "scripts", "reclaim")

write_golden <- function(table, name) {
  path <- file.path(folder, paste0(name, ".tsv"))
  versions <- sprintf(
    "# made by make_deseq2.R with %s, DESeq2 %s", R.version.string, packageVersion("DESeq2")
  )
  numeric_columns <- vapply(table, is.double, logical(1))
  table[numeric_columns] <- lapply(table[numeric_columns], function(x) sprintf("%.8g", x))
  writeLines(versions, path)
  suppressWarnings(
    write.table(table, path, sep = "\t", quote = FALSE, row.names = FALSE, na = "", append = TRUE)
  )
}

set.seed(20260114)

# --- Counts ---------------------------------------------------------------------------------------
# Fold changes for a fifth of the genes; some genes without any count, some silent in one group, some
# with a single wild count.

simulate <- function(n_genes, samples, formula, effect) {
  design <- model.matrix(formula, samples)
  mean <- exp(rnorm(n_genes, 3.5, 1.8))
  dispersion <- (0.03 + 2.5 / mean) * exp(rnorm(n_genes, 0, 0.7))
  coefficients <- matrix(rnorm(n_genes * ncol(design), 0, 0.25), n_genes)
  coefficients[, 1] <- log(mean)
  coefficients[, effect] <- ifelse(runif(n_genes) < 0.2, rnorm(n_genes, 0, 1.2), 0)
  depth <- exp(rnorm(nrow(samples), 0, 0.3))
  expected <- t(depth * exp(design %*% t(coefficients)))
  counts <- matrix(
    rnbinom(length(expected), mu = expected, size = 1 / dispersion), n_genes,
    dimnames = list(sprintf("g%03d", seq_len(n_genes)), rownames(samples))
  )
  last <- seq(n_genes - 39, n_genes)
  counts[last[1:10], ] <- 0
  silent <- design[, effect] == min(design[, effect])
  counts[last[11:18], silent] <- 0
  for (gene in last[19:36]) {
    counts[gene, sample(ncol(counts), 1)] <- round(max(counts[gene, ], 5) * runif(1, 10, 80))
  }
  # Silent in all samples but those of the first row of the design.
  alone <- apply(design, 1, function(row) all(row == design[1, ]))
  counts[seq_len(6), !alone] <- 0
  # Silent in all samples but one.
  for (gene in last[37:40]) {
    counts[gene, ] <- 0
    counts[gene, sample(ncol(counts), 1)] <- sample(30:300, 1)
  }
  counts
}

described <- function(...) {
  samples <- data.frame(..., stringsAsFactors = TRUE)
  rownames(samples) <- sprintf("s%02d", seq_len(nrow(samples)))
  samples
}

# A formula, the column of its design matrix that gets effects, and a contrast.
sets <- list(
  batches = list(
    samples = described(batch = rep(c("x", "y"), 4), group = rep(c("a", "b"), each = 4)),
    formula = ~ batch + group, effect = 3, genes = 450, contrast = c("group", "b", "a")
  ),
  pairs = list(
    samples = described(patient = rep(c("p1", "p2", "p3", "p4"), 2), group = rep(c("a", "b"), each = 4)),
    formula = ~ patient + group, effect = 5, genes = 400, contrast = c("group", "b", "a")
  ),
  replicates = list(
    samples = described(group = rep(c("a", "b"), c(8, 7))),
    formula = ~group, effect = 2, genes = 350, contrast = c("group", "b", "a")
  ),
  unequal = list(
    samples = described(group = rep(c("a", "b"), c(8, 4))),
    formula = ~group, effect = 2, genes = 200, contrast = c("group", "b", "a")
  ),
  three_groups = list(
    samples = described(group = rep(c("a", "b", "c"), each = 3)),
    formula = ~group, effect = 3, genes = 250, contrast = c("group", "c", "b")
  ),
  interaction = list(
    samples = described(genotype = rep(c("wild", "mutant"), each = 6), drug = rep(rep(c("no", "yes"), each = 3), 2)),
    formula = ~ genotype * drug, effect = 4, genes = 250, contrast = c(0, 0, 1, 1)
  ),
  covariate = list(
    samples = described(purity = c(0.3, 0.4, 0.6, 0.65, 0.35, 0.5, 0.55, 0.7, 0.8), group = rep(c("a", "b"), c(4, 5))),
    formula = ~ purity + group, effect = 3, genes = 200, contrast = c("group", "b", "a")
  )
)

# --- Shrunken fold changes ------------------------------------------------------------------------

cauchy_scale <- function(estimate, se) {
  excess <- function(a) {
    weight <- 1 / (2 * (a + se^2)^2)
    sum((estimate^2 - se^2) * weight) / sum(weight) - a
  }
  if (excess(1e-6) < 0) {
    return(1e-3)
  }
  min(1, sqrt(uniroot(excess, c(1e-6, 400), tol = 1e-12)$root))
}

shrunken <- function(counts, size_factors, design, dispersion, coefficient, scale, estimate) {
  others <- setdiff(seq_len(ncol(design)), coefficient)
  vapply(seq_len(nrow(counts)), function(gene) {
    if (is.na(estimate[gene])) {
      return(NA_real_)
    }
    cost <- function(beta) {
      mean <- size_factors * exp(drop(design %*% beta))
      -sum(dnbinom(counts[gene, ], mu = mean, size = 1 / dispersion[gene], log = TRUE)) -
        sum(dnorm(beta[others], 0, 15, log = TRUE)) - dcauchy(beta[coefficient], 0, scale, log = TRUE)
    }
    slope <- function(beta) {
      mean <- size_factors * exp(drop(design %*% beta))
      gradient <- -drop(crossprod(design, (counts[gene, ] - mean) / (1 + dispersion[gene] * mean)))
      gradient[others] <- gradient[others] + beta[others] / 225
      gradient[coefficient] <- gradient[coefficient] +
        2 * beta[coefficient] / (scale^2 + beta[coefficient]^2)
      gradient
    }
    start <- c(log(mean(counts[gene, ] / size_factors)), rep(0, ncol(design) - 1))
    fits <- lapply(c(0, estimate[gene], estimate[gene] / 2), function(first) {
      start[coefficient] <- first
      optim(start, cost, slope, method = "BFGS", control = list(reltol = 1e-15, maxit = 1000))
    })
    best <- which.min(vapply(fits, `[[`, numeric(1), "value"))
    fits[[best]]$par[coefficient] / log(2)
  }, numeric(1))
}

# --- Fits -----------------------------------------------------------------------------------------

fitted <- lapply(names(sets), function(name) {
  set <- sets[[name]]
  counts <- simulate(set$genes, set$samples, set$formula, set$effect)
  model <- DESeq(DESeqDataSetFromMatrix(counts, set$samples, set$formula), quiet = TRUE)
  found <- results(model, contrast = set$contrast)
  genes <- mcols(model)
  results <- data.frame(
    set = name, gene = rownames(counts), base_mean = found$baseMean,
    log2_fold_change = found$log2FoldChange, se = found$lfcSE, p_value = found$pvalue,
    q_value = found$padj, dispersion = genes$dispersion, shrunken = NA_real_,
    replaced = as.integer(if (is.null(genes$replace)) FALSE else genes$replace %in% TRUE),
    by_optim = as.integer(genes$betaIter %in% 100)
  )
  scale <- NA_real_
  if (name %in% c("batches", "pairs", "replicates")) {
    # Genes that replacement left without counts have no error; lfcShrink() takes it for perfect knowledge.
    known <- which(found$lfcSE > 0)
    scale <- cauchy_scale(log(2) * found$log2FoldChange[known], log(2) * found$lfcSE[known])
    results$shrunken <- shrunken(
      counts, sizeFactors(model), model.matrix(set$formula, set$samples), dispersions(model),
      set$effect, scale, log(2) * found$log2FoldChange
    )
  }
  trend <- dispersionFunction(model)
  coefficients <- attr(trend, "coefficients")
  fit <- data.frame(
    set = name, formula = paste(deparse(set$formula), collapse = ""),
    contrast = paste(set$contrast, collapse = ","),
    asymptotic_dispersion = coefficients[["asymptDisp"]], extra_poisson = coefficients[["extraPois"]],
    prior_variance = attr(trend, "dispPriorVar"), squared_spread = attr(trend, "varLogDispEsts"),
    least_base_mean = metadata(found)$filterThreshold[[1]], shrinkage_scale = scale
  )
  long <- data.frame(
    set = name, gene = rownames(counts), counts = apply(counts, 1, paste, collapse = " ")
  )
  samples <- data.frame(
    set = name, sample = rownames(set$samples),
    description = apply(
      vapply(names(set$samples), function(column) paste0(column, "=", set$samples[[column]]), character(nrow(set$samples))),
      1, paste,
      collapse = " "
    )
  )
  list(results = results, fit = fit, counts = long, samples = samples, genes = genes)
})

stack <- function(part) do.call(rbind, lapply(fitted, `[[`, part))
write_golden(stack("counts"), "deseq2_counts")
write_golden(stack("samples"), "deseq2_samples")
write_golden(stack("fit"), "deseq2_fits")
write_golden(stack("results"), "deseq2_results")

# --- Steps by themselves --------------------------------------------------------------------------
# Gene-wise dispersions of the paired set, from which R fitted the trend and matched the prior.

paired <- fitted[[which(names(sets) == "pairs")]]$genes
paired <- paired[!paired$allZero, ]
steps <- data.frame(mean = paired$baseMean, dispersion = paired$dispGeneEst)
write_golden(steps, "deseq2_trend")

# --- Simulated residuals for the prior, the library's own table -----------------------------------

residuals <- lapply(1:3, function(df) {
  set.seed(2)
  t(vapply(seq(0, 8, length = 200), function(variance) {
    drawn <- log(rchisq(10000, df = df)) + rnorm(10000, 0, sqrt(variance)) - log(df)
    drawn <- drawn[drawn > -10 & drawn < 10]
    c(df, hist(drawn, breaks = -20:20 / 2, plot = FALSE)$counts)
  }, numeric(41)))
})
path <- file.path(library_folder, "dispersion_residuals.tsv")
writeLines(c(
  "# Simulated log residuals of dispersions, log(chi-square / df) + normal: their degrees of freedom,",
  "# then counts in 40 bins from -10 to 10; one row for each variance of the normal, 200 from 0 to 8.",
  sprintf("# Drawn by %s after set.seed(2), as DESeq2's estimateDispersionsPriorVar does.", R.version.string),
  "# Made by tests/golden/make_deseq2.R; dispersion.py uses it."
), path)
write.table(
  do.call(rbind, residuals), path,
  sep = "\t", quote = FALSE, row.names = FALSE, col.names = FALSE, append = TRUE
)
