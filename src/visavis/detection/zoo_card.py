"""The default detector in full precision, as OpenCV Zoo publishes it; downloaded only when asked for by name."""

from dataclasses import replace

from visavis.cards import UrlFile
from visavis.detection.default_card import YUNET

_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/47534e27c9851bb1128ccc0102f1145e27f23f98/models"

YUNET_FP32 = replace(
    YUNET,
    name="detector/yunet-fp32.2023mar",
    sources=(UrlFile(f"{_ZOO}/face_detection_yunet/face_detection_yunet_2023mar.onnx"),),
    sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    rewrites=("free-sides", "join-strides"),
    notes=("The weights before they were stored in blocks of int8; another template space than the default.",),
)
