"""What an expression is: nodes, shapes, structure, operators, notation."""
