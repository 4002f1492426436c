"""How good a model is: who is asked, what counts as right, and how sure the number is."""
