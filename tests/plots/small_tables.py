"""Tables of the smallest runs, as lines, and figures in the style in which they are drawn."""

from trials.plots import STYLE

TRIALS = "experiment,variant,trial,seed,status,epochs,best_epoch,test_accuracy,test_loss,parameters,error"
SUMMARY = "variant,n,failed,test_accuracy_mean,test_accuracy_ci95_low,test_accuracy_ci95_high"
EPOCHS = "experiment,variant,trial,seed,epoch,train_accuracy,train_loss,validation_accuracy,validation_loss"
PUBLISHED = "source,metric,where,published,runs,measured_mean,prediction95_low,prediction95_high,verdict,note"
BATCH_NORM = "variant,trial,layer,channel,gamma,beta,moving_mean,moving_variance"

# Two trials of one variant; the second stopped after two of three epochs. A third diverged.
PLAIN = {
    "trials": [TRIALS, "e,mlp,1,0,ok,3,3,0.8,,5,", "e,mlp,2,1,ok,2,2,0.9,,5,", "e,mlp,3,2,diverged,1,,,,,loss is NaN"],
    "summary": [SUMMARY, "mlp,2,1,0.85,0.21,1.49"],
    "epochs": [
        EPOCHS,
        *("e,mlp,1,0,1,0.5,1.0,,", "e,mlp,1,0,2,0.7,0.8,,", "e,mlp,1,0,3,0.9,0.6,,"),
        *("e,mlp,2,1,1,0.7,2.0,,", "e,mlp,2,1,2,0.9,1.0,,"),
        "e,mlp,3,2,1,0.1,99.0,,",
    ],
}
SWEEP = {
    "trials": [
        TRIALS.replace("trial,", "units,trial,", 1),
        *("e,mlp,2,1,0,ok,1,1,0.4,,5,", "e,mlp,2,2,1,ok,1,1,0.6,,5,"),
        *("e,mlp,10,1,0,ok,1,1,0.7,,5,", "e,mlp,10,2,1,ok,1,1,0.9,,5,"),
    ],
    "summary": [SUMMARY.replace("n,", "units,n,", 1), "mlp,2,2,0,0.5,0.3,0.7", "mlp,10,2,0,0.8,0.65,0.95"],
}


def styled(draw, *arguments):
    """A figure as `draw` would make it."""
    from matplotlib import style

    with style.context(("default", STYLE)):
        return draw(*arguments)
