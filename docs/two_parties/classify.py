"""A digit of alice's meets the weights of bob's: she learns its class, and why."""

from functools import partial

import crypten_lite as ct
from captum_lite import IntegratedGradients
from namedtensor.models import digits_cnn


def explained(weights, image):
    """The scores of all classes, and what each pixel adds to the highest one."""
    model = partial(digits_cnn.apply, weights)
    scores = model(image)
    return scores, IntegratedGradients(model).attribute(image, target=scores.argmax("class"))


def program(session):
    """What all roles run, each on what it has."""
    image = session.input("image", owner="alice")
    weights = session.input("weights", owner="bob")
    scores, explanation = ct.private(explained)(weights, image)
    return session.reveal({"scores": scores, "explanation": explanation}, to="alice")
