"""Files -> ``Radiograph``: one module per family of formats."""
