"""Where films come from: folders, lists and places that are not on this machine."""
