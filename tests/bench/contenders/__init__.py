"""What cxrscan is compared with; each is a script of its own: FOLDER in, pictures out."""
