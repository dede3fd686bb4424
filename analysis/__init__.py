"""What a network costs and why it works: closed forms in numpy, each of them held against Keras in the tests."""
