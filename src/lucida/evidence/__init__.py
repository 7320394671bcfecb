"""Statistics of right and wrong: what has been proven of a finite set after some of it was checked.

This layer works on integers and floats; it knows nothing of images, labels or people.
"""
