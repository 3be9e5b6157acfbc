"""(report next)"""
