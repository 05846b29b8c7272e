"""Predictions against labels: metrics, reports, and FreiHAND's submission."""
