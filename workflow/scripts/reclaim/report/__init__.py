"""From verdicts and evidence to the page that a reader opens."""
