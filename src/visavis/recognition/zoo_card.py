"""The default recogniser in full precision, as OpenCV Zoo publishes it; downloaded only when asked for by name."""

from dataclasses import replace

from visavis.cards import UrlFile
from visavis.recognition.default_card import SFACE

_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/47534e27c9851bb1128ccc0102f1145e27f23f98/models"

SFACE_FP32 = replace(
    SFACE,
    name="embedder/sface-fp32.2021dec",
    sources=(UrlFile(f"{_ZOO}/face_recognition_sface/face_recognition_sface_2021dec.onnx"),),
    sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
    rewrites=("free-axes", "fold-batch-norm", "split-prelu"),
    int8="",
    calibration="",
    notes=("The weights before they were stored in blocks of int8; another template space, without a calibration.",),
)
