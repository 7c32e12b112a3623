"""One seed, one world: a virtual clock, network, disk, chain, sellers and apps around real code."""
