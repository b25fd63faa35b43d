"""The control endpoint: how tests make the simulated org behave badly, and ask what is true."""
