"""reclaim: retest published cancer claims on public omics data.

The stages are study -> plan -> retrieve -> load -> analyse -> assess -> report. Modules are
pure functions that run without Snakemake; the scripts one folder up are the rim around them.
"""

__version__ = "0.1.0"
