"""Turn records into files and pages."""
