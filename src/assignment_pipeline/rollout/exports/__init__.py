"""For the monitoring that is there already: Prometheus and Grafana."""
