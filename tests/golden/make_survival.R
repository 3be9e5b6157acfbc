# Reference results for test_survival.py, computed by R's survival.
#
#   Rscript make_survival.R [folder]     (default: the current folder)
#
# Needs survival (Debian: r-cran-survival). survival_patients.tsv holds simulated follow-up in whole months,
# with ties, a death and a living patient at 0, and hazards of the two groups that cross;
# survival_coxph.tsv what coxph and cox.zph make of it, survival_incidence.tsv what survfit does, with and
# without late entry. The test reads the tables and never runs R.

suppressPackageStartupMessages(library(survival))

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."

write_golden <- function(table, name) {
  path <- file.path(folder, paste0(name, ".tsv"))
  versions <- sprintf(
    "# made by make_survival.R with %s, survival %s", R.version.string, packageVersion("survival")
  )
  numeric_columns <- vapply(table, is.numeric, logical(1))
  table[numeric_columns] <- lapply(table[numeric_columns], format_number)
  writeLines(versions, path)
  suppressWarnings(
    write.table(table, path, sep = "\t", quote = FALSE, row.names = FALSE, append = TRUE)
  )
}

# 10 digits where they matter, short numbers as they are.
format_number <- function(x) {
  short <- is.na(x) | (is.finite(x) & abs(x) < 1e6 & x == round(x, 5))
  ifelse(short, trimws(format(x, scientific = FALSE, trim = TRUE, drop0trailing = TRUE)), sprintf("%.10g", x))
}

set.seed(20251126)
n <- 220
group <- rep(c("A", "B"), c(80, 140))
stage <- sample(c("I", "II", "III"), n, replace = TRUE, prob = c(0.3, 0.5, 0.2))
age <- round(rnorm(n, 60, 11))
gene1 <- round(rnorm(n, 7, 1.5), 3)
gene2 <- round(rnorm(n, 5, 1), 3)
hazard <- exp(0.02 * (age - 60) + 0.5 * (stage == "III") + 0.25 * (gene1 - 7)) / 90
early <- rexp(n, hazard * ifelse(group == "A", 2.5, 1))
disease <- ifelse(early < 48, early, 48 + rexp(n, hazard * ifelse(group == "A", 0.3, 1)))
other <- rexp(n, exp(0.05 * (age - 60)) / 200)
censored <- runif(n, 24, 168)
months <- floor(pmin(disease, other, censored))
status <- ifelse(disease <= pmin(other, censored), "Died of Disease",
  ifelse(other <= censored, "Died of Other Causes", "Living"))
months[c(5, 150)] <- 0
status[c(5, 150)] <- c("Died of Disease", "Living")
late <- runif(n) < 0.5 & months > 3
entry <- ifelse(late, floor(runif(n) * pmin(months, 30)), 0)
patients <- data.frame(
  sample = sprintf("P%03d", seq_len(n)), months, entry, status, group, stage, age, gene1, gene2
)
write_golden(patients, "survival_patients")

# Cox models: the tested variable is last. A gene counts in standard deviations of the samples in the model.
patients$time <- patients$months / 12
patients$dead <- patients$status != "Living"
patients$dead_of_disease <- patients$status == "Died of Disease"
patients$case <- as.numeric(patients$group == "A")

models <- list(
  list(name = "group", event = "dead", x = "case"),
  list(name = "group_to_4", event = "dead", x = "case", to = 4),
  list(name = "group_from_4", event = "dead", x = "case", from = 4),
  list(name = "group_from_2_to_6", event = "dead", x = "case", from = 2, to = 6),
  list(name = "group_covariates", event = "dead", x = "case", covariates = c("age", "stage")),
  list(name = "group_disease", event = "dead_of_disease", x = "case"),
  list(name = "gene", event = "dead", x = "gene1"),
  list(name = "gene_covariates_to_6", event = "dead", x = "gene1", covariates = c("age", "stage"), to = 6),
  list(name = "gene_disease_from_1", event = "dead_of_disease", x = "gene2", covariates = "age", from = 1)
)

fit_one <- function(model) {
  data <- patients
  data$dies <- data[[model$event]]
  cut <- c(model$from, model$to)
  if (length(cut)) {
    data <- survSplit(Surv(time, dies) ~ ., data = data, cut = cut, episode = "episode", zero = -1)
    data <- data[data$episode == if (is.null(model$from)) 1 else 2, ]
    data$dies <- as.logical(data$dies)
  }
  data$x <- if (model$x == "case") data$case else as.numeric(scale(data[[model$x]]))
  fit <- coxph(
    reformulate(c(model$covariates, "x"), "Surv(time, dies)"), data, ties = "efron",
    control = coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 50)
  )
  last <- length(coef(fit))
  effect <- unname(coef(fit)[last])
  se <- sqrt(vcov(fit)[last, last])
  zph <- cox.zph(fit, transform = "km", terms = FALSE)$table["x", ]
  # Grambsch and Therneau (1994): the test that cox.zph made before survival 3.0.
  residuals <- as.matrix(resid(fit, "scaledsch"))
  at <- as.numeric(rownames(residuals))
  curve <- survfit(Surv(time, dies) ~ 1, data)
  when <- 1 - curve$surv[findInterval(at + 1e-9, curve$time)]
  when <- when - mean(when)
  statistic <- sum(when * residuals[, last])^2 / (fit$nevent * se^2 * sum(when^2))
  data.frame(
    model = model$name, n = fit$n, n_events = fit$nevent, effect, se,
    ci_low = effect - qnorm(0.975) * se, ci_high = effect + qnorm(0.975) * se,
    statistic = effect / se, p_value = 2 * pnorm(-abs(effect / se)),
    p_zph = zph[["p"]], p_scaled_residuals = pchisq(statistic, 1, lower.tail = FALSE)
  )
}
write_golden(do.call(rbind, lapply(models, fit_one)), "survival_coxph")

# Cumulative incidence at the times of events.
incidence <- function(set, data, late) {
  data$status <- factor(data$status, c("Living", "Died of Disease", "Died of Other Causes"))
  data$id <- seq_len(nrow(data))
  data$start <- if (late) data$entry else -1
  fit <- survfit(Surv(start, months, status) ~ 1, data, id = id)
  happens <- rowSums(fit$n.event[, -1]) > 0
  data.frame(
    set, months = fit$time[happens], at_risk = fit$n.risk[happens, 1],
    free = fit$pstate[happens, 1], disease = fit$pstate[happens, 2], other = fit$pstate[happens, 3]
  )
}
write_golden(rbind(
  incidence("A", patients[patients$group == "A", ], FALSE),
  incidence("B", patients[patients$group == "B", ], FALSE),
  incidence("late_entry", patients[patients$months > 0, ], TRUE)
), "survival_incidence")
