"""What a network costs and why it works: each function is handed a built Keras model or plain arrays."""
