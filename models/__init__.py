"""The zoo: every builder there is, by the name of its network."""

from models.alexnet import alexnet
from models.conv_stacks import conv_block, strided_cnn
from models.inception import inception_naive, inception_reduced
from models.lenet5 import lenet, lenet5, lenet5_batch_norm_dropout, lenet5_regularized
from models.lenet5_1998 import lenet5_1998
from models.mlp import mlp
from models.relu_mlp import mlp_10_50_3
from models.vgg import vgg16, vgg19

BUILDERS = {
    builder.__name__: builder
    for builder in (
        alexnet,
        lenet,
        lenet5,
        lenet5_1998,
        lenet5_batch_norm_dropout,
        lenet5_regularized,
        mlp,
        mlp_10_50_3,
        vgg16,
        vgg19,
    )
}
FEATURE_MAPS = {builder.__name__: builder for builder in (conv_block, inception_naive, inception_reduced, strided_cnn)}
"Parts of networks, without classes: they are described, not trained."
