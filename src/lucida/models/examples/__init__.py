"""Small models of one narrow kind each, so that detection and segmentation work offline; made by `recipes`."""
