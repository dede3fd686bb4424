"""Final accuracies stand beside what was published of them."""

import numpy as np

from tests.plots.small_tables import PLAIN, PUBLISHED, styled
from trials.plots.accuracies import accuracies_figure
from trials.plots.tables import read


def test_a_published_accuracy_stands_beside_its_variant(folder):
    published = [
        PUBLISHED,
        "S1,test_accuracy,,0.95,1,0.85,,,not like with like,",
        "S1,test_accuracy,variant=other,0.2,1,,,,not measured,",
        "S1,test_accuracy,,0.3,1,,,,not measured,",  # over configurations that are not all here
        "S1,train_accuracy,,0.4,1,0.85,,,inside,",
    ]
    figure = styled(accuracies_figure, read(folder(PLAIN, published=published)))
    x = [np.asarray(line.get_xdata()).tolist() for line in figure.axes[0].lines]
    assert x[0] == [0.8, 0.9]
    assert [0.85] in x
    assert x[-1] == [0.95]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["trial", "mean with 95 % t interval", "published (not like with like)"]
