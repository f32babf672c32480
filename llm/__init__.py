"""The wires to model providers: one port, a scripted model, and real providers behind one door."""
