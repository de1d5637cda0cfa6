"""The single-image viewer, a Streamlit app."""
