"""The dashboards, as short descriptions: python -m deploy.grafana.source writes the JSON that Grafana reads."""
