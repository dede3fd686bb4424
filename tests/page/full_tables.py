"""Tables with everything a page can show, and with names and reasons that want to be more than text."""

HOSTILE = "<script>alert(1)</script>"
QUESTION = f"Which is best, {HOSTILE} or \"mlp\" & 'cnn'?"
CONCLUSION = f"None; {HOSTILE}."
REASON = "loss is NaN <img src=x onerror=alert(1)>"

METRICS = "train_accuracy,train_loss,validation_accuracy,validation_loss,test_accuracy,test_loss"
TRIALS = f"experiment,variant,trial,seed,status,epochs,best_epoch,{METRICS},parameters,error"
SUMMARY = "variant,n,failed,test_accuracy_mean,test_accuracy_std,test_accuracy_ci95_low,test_accuracy_ci95_high"
EPOCHS = f"experiment,variant,trial,seed,epoch,{METRICS}"
PUBLISHED = "source,metric,where,published,runs,measured_mean,prediction95_low,prediction95_high,verdict,note"
COMPARISONS = (
    "family,first,second,n,difference_mean,difference_std,difference_ci95_low,difference_ci95_high,p,p_holm,"
    "probability_of_improvement,detectable_difference,verdict,note"
)

# Three variants of two trials each; a third trial of mlp diverged.
ACCURACIES = {"mlp": (0.8, 0.9), "cnn": (0.95, 0.97), HOSTILE: (0.6, 0.7)}
FULL = {
    "trials": [
        TRIALS,
        *(
            f"full,{variant},{i},{i - 1},ok,2,2,0.9,0.3,,,{accuracy},0.5,5,"
            for variant, both in ACCURACIES.items()
            for i, accuracy in enumerate(both, 1)
        ),
        f"full,mlp,3,2,diverged,1,,,,,,,,,{REASON}",
    ],
    "summary": [
        SUMMARY,
        "mlp,2,1,0.85,0.0707,0.2146,1.4854",
        "cnn,2,0,0.96,0.0141,0.8329,1.0871",
        f"{HOSTILE},2,0,0.65,0.0707,0.0146,1.2854",
    ],
    "epochs": [
        EPOCHS,
        *(
            f"full,{variant},{i},{i - 1},{epoch},{0.4 + 0.2 * epoch},{1 / epoch},,,,"
            for variant in ACCURACIES
            for i in (1, 2)
            for epoch in (1, 2)
        ),
    ],
    "published": [
        PUBLISHED,
        f"S1,test_accuracy,variant=mlp,0.86,1,0.85,0.7,1.0,inside,as {HOSTILE} says",
        "S1,train_accuracy,variant=mlp epoch=1,0.61,1,0.6,0.5,0.7,inside,",
        "S1,train_accuracy,variant=mlp epoch=2,0.99,1,0.8,0.7,0.9,outside,",
        "S1,train_loss,variant=cnn epoch=1,1.1,1,1.0,0.9,1.2,inside,",
        "S1,train_loss,variant=cnn epoch=9,0.1,1,,,,not measured,",
    ],
    "comparisons": [
        COMPARISONS,
        "variants,mlp,cnn,2,0.11,0.0566,-0.3982,0.6182,0.5,1.0,1.0,0.4,no verdict,needs 9",
        f"variants,mlp,{HOSTILE},2,-0.2,0.0,-0.2,-0.2,0.01,0.03,0.0,0.3,first higher,",
        f"variants,cnn,{HOSTILE},2,-0.31,0.0566,-0.8182,0.1982,0.5,1.0,0.0,0.4,no verdict,",
        "depth,depth=1,depth=2,2,0.05,0.01,-0.04,0.14,0.5,1.0,1.0,0.4,no verdict,",
    ],
    "batch_norm": [
        "variant,trial,layer,channel,gamma,beta,moving_mean,moving_variance",
        *(f"cnn,1,{HOSTILE},{channel},{gamma},0.25,0,1" for channel, gamma in ((1, 1.5), (2, 0.5), (3, 0.75))),
    ],
}
RUN = {
    "command": f"python run_trials.py --experiment '{HOSTILE}.py'",
    "started": "2026-11-22T21:20:30+00:00",
    "seconds": 41.278,
    "experiment": "full",
    "engine": "graph",
    "device": "cpu",
    "data": {"source": "iris", "size": None, "test_fraction": 0.2},
    "data checksum": "9650431317fc",
    "versions": {"python": "3.11.7", "keras": "3.15.1"},
    "machine": {"platform": "Linux", "processor": "AMD EPYC", "cores": 2, "host": "somewhere"},
    "git": {"commit": "e9037efff50f", "dirty": True},
    "messages": [],
    "earlier runs": [{"command": "python run_trials.py --experiment full --trials 1"}],
}
