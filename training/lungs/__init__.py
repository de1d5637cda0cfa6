"""What finds the lungs: outlines drawn on mean films, and the small network that learns them."""
