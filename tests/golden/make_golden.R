# Reference results for test_golden.py, computed by R alone.
#
#   Rscript make_golden.R [folder]     (default: the current folder)
#
# Needs the package brglm2 (Kosmidis & Firth) for Firth's logistic regression. Every table starts
# with a comment line that names the versions; inputs and results stand in the same table, or in two
# tables with a common first column. The tests read the tables and never run R.

suppressPackageStartupMessages(library(brglm2))

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."

write_golden <- function(table, name) {
  path <- file.path(folder, paste0(name, ".tsv"))
  versions <- sprintf(
    "# made by make_golden.R with %s, brglm2 %s", R.version.string, packageVersion("brglm2")
  )
  numeric_columns <- vapply(table, is.numeric, logical(1))
  table[numeric_columns] <- lapply(table[numeric_columns], format_number)
  writeLines(versions, path)
  suppressWarnings(
    write.table(table, path, sep = "\t", quote = FALSE, row.names = FALSE, append = TRUE)
  )
}

# 15 digits where they matter, whole numbers as they are.
format_number <- function(x) {
  ifelse(x == round(x) & abs(x) < 1e6, sprintf("%.0f", x), sprintf("%.15g", x))
}

set.seed(20251125)

# --- Shares: exact intervals and one-sided exact tests against the bounds of the rules ------------

counts <- data.frame(
  k = c(0, 0, 0, 1, 1, 2, 23, 22, 5, 50, 118, 114, 141, 0, 1, 177, 12, 1900, 2290),
  n = c(1, 71, 72, 1, 177, 2, 23, 22, 10, 50, 177, 141, 141, 177, 120, 177, 2336, 2336, 2336)
)
random <- data.frame(n = sample(3:400, 12))
random$k <- rbinom(12, random$n, runif(12))
counts <- rbind(counts, random[c("k", "n")])
exact <- lapply(seq_len(nrow(counts)), function(i) {
  k <- counts$k[i]
  n <- counts$n[i]
  interval <- binom.test(k, n)$conf.int
  data.frame(
    k = k, n = n, ci_low = interval[1], ci_high = interval[2],
    p_below_5_percent = binom.test(k, n, 0.05, alternative = "less")$p.value,
    p_above_85_percent = binom.test(k, n, 0.85, alternative = "greater")$p.value
  )
})
write_golden(do.call(rbind, exact), "binomial")

# --- Two alterations: Fisher's exact test with the conditional odds ratio ------------------------

tables <- rbind(
  c(90, 20, 15, 5), c(40, 30, 28, 2), c(50, 10, 12, 0), c(30, 0, 5, 7), c(30, 5, 0, 7),
  c(0, 12, 9, 4), c(20, 0, 0, 6), c(0, 8, 9, 0), c(1, 1, 1, 1), c(700, 12, 90, 3),
  c(33, 0, 10, 0), c(40, 9, 0, 0),
  matrix(rpois(6 * 4, 14), ncol = 4)
)
colnames(tables) <- c("neither", "only_first", "only_second", "both")
fisher <- lapply(seq_len(nrow(tables)), function(i) {
  cells <- tables[i, ]
  found <- fisher.test(rbind(cells[c("neither", "only_second")], cells[c("only_first", "both")]))
  data.frame(
    t(cells), odds_ratio = unname(found$estimate),
    ci_low = found$conf.int[1], ci_high = found$conf.int[2], p_value = found$p.value
  )
})
write_golden(do.call(rbind, fisher), "fisher")

# --- Firth's logistic regression, by brglm2 and by plain maximisation ----------------------------
# ordinary: 80 patients; separated: the second alteration never occurs with the first;
# rare: two of 45 altered, both with the first alteration and a high burden.

simulate_patients <- function(set, n, first_share, log_odds) {
  burden <- round(exp(rnorm(n, 3.5, 0.8)))
  first <- rbinom(n, 1, first_share)
  second <- rbinom(n, 1, plogis(-1.5 + log_odds * first + 0.9 * log10(burden + 1)))
  data.frame(set = set, first = first, other_mutations = burden, second = second)
}
ordinary <- simulate_patients("ordinary", 80, 0.5, -0.8)
separated <- simulate_patients("separated", 40, 0.4, 0)
separated$second[separated$first == 1] <- 0
rare <- simulate_patients("rare", 45, 0.3, 0)
rare$second <- 0
rare$second[order(-rare$first, -rare$other_mutations)[1:2]] <- 1
patients <- rbind(ordinary, separated, rare)
write_golden(patients, "firth_patients")

penalised <- function(beta, design, outcome) {
  p <- plogis(drop(design %*% beta))
  information <- crossprod(design, design * (p * (1 - p)))
  sum(dbinom(outcome, 1, p, log = TRUE)) + 0.5 * determinant(information)$modulus
}
firth <- lapply(unique(patients$set), function(set) {
  data <- patients[patients$set == set, ]
  data$log_burden <- log10(data$other_mutations + 1)
  fit <- glm(
    second ~ first + log_burden, binomial(), data,
    method = "brglmFit", type = "AS_mean", epsilon = 1e-12, maxit = 1000
  )
  design <- cbind(1, data$first, data$log_burden)
  best <- optim(
    rep(0, 3), function(beta) -penalised(beta, design, data$second),
    method = "BFGS", control = list(reltol = 1e-15, maxit = 5000)
  )
  data.frame(
    set = set, term = c("intercept", "first", "log_burden"),
    brglm2 = unname(coef(fit)), brglm2_se = unname(sqrt(diag(vcov(fit)))), maximised = best$par
  )
})
write_golden(do.call(rbind, firth), "firth_coefficients")

# --- Holm -----------------------------------------------------------------------------------------

families <- list(
  by_hand = c(0.01, 0.04, 0.03), ties = c(0.02, 0.02, 0.5, 1), long = runif(9)^3, one = 0.049
)
holm <- lapply(names(families), function(family) {
  p <- families[[family]]
  data.frame(family = family, p = p, adjusted = p.adjust(p, method = "holm"))
})
write_golden(do.call(rbind, holm), "holm")

# --- Random effects with a half-normal prior on tau ----------------------------------------------
# The joint density of mean and tau is integrated as it stands: tau inside, mean outside.

cohorts <- list(
  two_alike = list(scale = 0.5, effect = c(0.9, 1.1), se = c(0.2, 0.3)),
  two_apart = list(scale = 0.5, effect = c(0.1, 1.4), se = c(0.25, 0.2)),
  three_hazards = list(scale = 0.3, effect = c(0.35, 0.10, 0.28), se = c(0.10, 0.12, 0.20)),
  five_mixed = list(
    scale = 0.5, effect = c(-1.2, -0.3, -0.8, 0.4, -0.6), se = c(0.9, 0.5, 1.3, 0.7, 0.4)
  ),
  correlations = list(scale = 0.15, effect = c(0.45, 0.30, 0.38, 0.10), se = c(0.06, 0.10, 0.08, 0.12))
)
posterior <- lapply(names(cohorts), function(name) {
  y <- cohorts[[name]]$effect
  se <- cohorts[[name]]$se
  scale <- cohorts[[name]]$scale
  joint <- function(mean, tau) {
    likelihood <- vapply(tau, function(t) prod(dnorm(y, mean, sqrt(se^2 + t^2))), numeric(1))
    likelihood * 2 * dnorm(tau, 0, scale)
  }
  # Density of the mean up to a constant, or that times the mean of tau.
  over_tau <- function(mean, of_tau = function(tau) 1) {
    vapply(mean, function(m) {
      integrate(
        function(tau) of_tau(tau) * joint(m, tau), 0, 12 * scale, rel.tol = 1e-10, subdivisions = 1000L
      )$value
    }, numeric(1))
  }
  centre <- weighted.mean(y, 1 / se^2)
  reach <- diff(range(y)) + 10 * (max(se) + scale)
  area <- function(f, to = centre + reach) {
    cuts <- centre + c(-1, -0.3, -0.1, 0, 0.1, 0.3, 1) * reach
    cuts <- c(cuts[cuts < to], to)
    pieces <- mapply(
      function(a, b) integrate(f, a, b, rel.tol = 1e-9, subdivisions = 1000L)$value,
      head(cuts, -1), tail(cuts, -1)
    )
    sum(pieces)
  }
  total <- area(over_tau)
  mean <- area(function(m) m * over_tau(m)) / total
  sd <- sqrt(area(function(m) (m - mean)^2 * over_tau(m)) / total)
  quantile_at <- function(level) {
    uniroot(function(x) area(over_tau, x) / total - level, mean + c(-8, 8) * sd, tol = 1e-8)$root
  }
  data.frame(
    set = name, scale = scale, mean = mean, sd = sd,
    ci_low = quantile_at(0.025), ci_high = quantile_at(0.975),
    below_zero = area(over_tau, 0) / total,
    tau = area(function(m) over_tau(m, identity)) / total
  )
})
write_golden(do.call(rbind, posterior), "random_effects")
inputs <- lapply(names(cohorts), function(name) {
  data.frame(set = name, effect = cohorts[[name]]$effect, se = cohorts[[name]]$se)
})
write_golden(do.call(rbind, inputs), "random_effects_cohorts")
