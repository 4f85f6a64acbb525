"""Where each layer's weights and biases lie in the one flat parameter array: W0, b0, W1, b1, ..."""


def n_parameters(layer_sizes):
    """The number of weights and biases of a network with these layer sizes, input first."""
    return sum((n_in + 1) * n_out for n_in, n_out in zip(layer_sizes, layer_sizes[1:]))


def layer_views(flat, layer_sizes):
    """Views into the flat array: a list of (weights (n_in, n_out), bias (n_out,)), one pair a layer."""
    views, start = [], 0
    for n_in, n_out in zip(layer_sizes, layer_sizes[1:]):
        middle, stop = start + n_in * n_out, start + (n_in + 1) * n_out
        views.append((flat[start:middle].reshape(n_in, n_out), flat[middle:stop]))
        start = stop
    return views
