# Reference results for test_limma.py, computed by R's limma.
#
#   Rscript make_limma.R [folder]     (default: the current folder)
#
# Needs limma and, for robust = TRUE, statmod (Debian: r-bioc-limma, r-cran-statmod). limma_values.tsv
# holds simulated log2 intensities of ten samples, limma_designs.tsv one design per set with the
# contrast in its last row, limma_results.tsv what eBayes makes of them. The test reads the tables and
# never runs R.

suppressPackageStartupMessages(library(limma))
stopifnot(requireNamespace("statmod"))

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."

write_golden <- function(table, name) {
  path <- file.path(folder, paste0(name, ".tsv"))
  versions <- sprintf(
    "# made by make_limma.R with %s, limma %s, statmod %s",
    R.version.string, packageVersion("limma"), packageVersion("statmod")
  )
  numeric_columns <- vapply(table, is.numeric, logical(1))
  table[numeric_columns] <- lapply(table[numeric_columns], format_number)
  writeLines(versions, path)
  suppressWarnings(
    write.table(table, path, sep = "\t", quote = FALSE, row.names = FALSE, append = TRUE)
  )
}

# 9 digits where they matter, short numbers as they are.
format_number <- function(x) {
  short <- is.na(x) | (is.finite(x) & abs(x) < 1e6 & x == round(x, 5))
  ifelse(short, trimws(format(x, scientific = FALSE, trim = TRUE, drop0trailing = TRUE)), sprintf("%.9g", x))
}

set.seed(20251126)
samples <- paste0("s", 1:10)
case <- rep(0:1, 5)
batch <- c(0, 0, 0, 1, 1, 1, 0, 0, 1, 1)
age <- c(41, 66, 58, 73, 49, 62, 55, 70, 38, 64)
pair <- factor(rep(1:5, each = 2))
group <- factor(c("a", "b", "c", "a", "b", "c", "a", "b", "c", "a"))

# Intensities with a mean, a variance that falls with the mean and varies about it, and a case effect.
simulate <- function(n, prior_df = 6, level = NULL) {
  if (is.null(level)) level <- runif(n, 3, 13)
  spread <- 0.5 * exp(-0.2 * (level - 8)) / (if (is.finite(prior_df)) rchisq(n, prior_df) / prior_df else 1)
  effect <- ifelse(runif(n) < 0.25, rnorm(n, 0, 1.5), 0)
  values <- level + outer(effect, case) + outer(rnorm(n, 0, 0.4), batch) +
    sqrt(spread) * matrix(rnorm(n * 10), n)
  round(values, 3)
}

covariates <- cbind(1, batch, age, case)
last <- c(0, 0, 0, 1)
# 3, 6 and 30 features are where limma gives the trend another degree of freedom.
sets <- list(
  covariates = list(y = simulate(40), design = covariates, contrast = last),
  paired = list(y = simulate(12), design = cbind(model.matrix(~ 0 + pair), case), contrast = c(0, 0, 0, 0, 0, 1)),
  three_groups = list(y = simulate(12), design = model.matrix(~ 0 + group), contrast = c(-0.5, -0.5, 1)),
  one_mean = list(y = simulate(6), design = cbind(rep(1, 10)), contrast = 1),
  same_variance = list(y = simulate(30, Inf, rep(8, 30)), design = covariates, contrast = last),
  three_features = list(y = simulate(3), design = covariates, contrast = last),
  outliers = list(y = simulate(40, 30), design = cbind(1, case), contrast = c(0, 1)),
  tied_means = list(y = simulate(36), design = cbind(1, case), contrast = c(0, 1)),
  many = list(y = simulate(220), design = cbind(1, case), contrast = c(0, 1)),
  missing = list(y = simulate(40), design = covariates, contrast = last)
)
# Less spread than chance gives: an infinite prior df.
sets$same_variance$y <- round(8 + 0.7 * t(scale(t(sets$same_variance$y))), 3)
noisy <- sets$outliers$y
noisy[1:4, ] <- round(noisy[1:4, ] + matrix(rnorm(40, 0, 6), 4), 3)
sets$outliers$y <- noisy
sets$tied_means$y[1:15, ] <- 0 # undetected: an inner knot of the trend falls on its lower end
holes <- matrix(runif(400) < 0.12, 40)
sets$missing$y[holes] <- NA
sets$missing$y[1, case == 1] <- NA # no case sample: not estimable
sets$missing$y[2, c(3, 4, 5, 6, 9, 10)] <- NA # four samples for four coefficients
sets$missing$y[2, c(1, 2, 7, 8)] <- c(7.1, 8.2, 6.9, 8.5) # all of one batch: three coefficients
sets$missing$y[3, ] <- c(7.125, NA, NA, 8.25, 6.5, 9.75, NA, NA, NA, NA) # no residual degrees of freedom
sets$missing$y[4, ] <- c(NA, 14.5, NA, NA, 13.25, 13.5, 14.75, NA, NA, NA) # the same, beyond the others' means
sets$many$y[1, 3:10] <- NA # one sample per arm, as in the next, beyond the others' means
sets$many$y[2, ] <- c(16.5, 15.25, rep(NA, 8))
sets$many$y[3, 9:10] <- NA

values <- do.call(rbind, lapply(names(sets), function(name) {
  y <- sets[[name]]$y
  colnames(y) <- samples
  data.frame(set = name, feature = seq_len(nrow(y)), y)
}))
write_golden(values, "limma_values")

designs <- do.call(rbind, lapply(names(sets), function(name) {
  rows <- rbind(sets[[name]]$design, sets[[name]]$contrast)
  padded <- matrix(NA, nrow(rows), 6, dimnames = list(NULL, paste0("x", 1:6)))
  padded[, seq_len(ncol(rows))] <- rows
  data.frame(set = name, row = c(samples, "contrast"), padded)
}))
write_golden(designs, "limma_designs")

results <- do.call(rbind, lapply(names(sets), function(name) {
  set <- sets[[name]]
  design <- as.matrix(set$design)
  colnames(design) <- paste0("x", seq_len(ncol(design)))
  fit <- suppressWarnings(lmFit(set$y, design))
  # With missing values contrasts.fit is approximate, so there the contrast is a coefficient.
  fit <- if (anyNA(set$y)) fit[, ncol(design)] else contrasts.fit(fit, set$contrast)
  # trend, robust. A robust trend needs many features.
  choices <- list(c(FALSE, FALSE), c(TRUE, FALSE), c(FALSE, TRUE))
  if (name == "many") choices <- list(c(TRUE, TRUE))
  do.call(rbind, lapply(choices, function(choice) {
    eb <- suppressWarnings(eBayes(fit, trend = choice[1], robust = choice[2]))
    data.frame(
      set = name, trend = choice[1], robust = choice[2], feature = seq_len(nrow(set$y)),
      effect = drop(eb$coefficients), se = drop(eb$stdev.unscaled) * sqrt(eb$s2.post),
      df_total = eb$df.total, statistic = drop(eb$t), p_value = drop(eb$p.value),
      prior_df = eb$df.prior, prior_variance = eb$s2.prior
    )
  }))
}))
write_golden(results, "limma_results")
