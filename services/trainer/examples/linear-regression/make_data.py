"""Writes a hundred points near a line as a CSV file: python3 make_data.py line.csv"""

import sys

from sklearn.datasets import make_regression

x, y = make_regression(n_samples=100, n_features=1, noise=0.1, random_state=0)
with open(sys.argv[1], "w", newline="\n") as file:
    file.write("x,y\n")
    for (value,), target in zip(x, y):
        file.write(f"{float(value)!r},{float(target)!r}\n")
