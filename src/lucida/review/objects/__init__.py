"""Review of objects within images: is each box right, and what was missed?"""
