"""What the sweep does with what is due, and with what nobody has told of."""
