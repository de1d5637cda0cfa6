"""Settings for all tests."""

from hypothesis import settings

# A busy machine makes single examples slow; time is measured where a test is about time.
settings.register_profile("cxrscan", deadline=None)
settings.load_profile("cxrscan")
