"""What a run is measured by: labels, patients, figures. Numbers only, no page."""
