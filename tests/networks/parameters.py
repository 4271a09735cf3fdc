def count_parameters(network):
    """Count the numbers in a network's parameters, shared ones once."""
    return sum(parameter.numel() for parameter in network.parameters())
