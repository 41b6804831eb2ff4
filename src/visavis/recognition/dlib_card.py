"""The second opinion: dlib's recogniser."""

from visavis.cards import InputContract, PackageFile, WeightCard

DLIB = WeightCard(
    name="embedder/dlib.resnet-v1",
    kind="embedder",
    loader="visavis.recognition.dlib_embedder:DlibEmbedder",
    sources=(
        PackageFile(
            "face_recognition_models",
            "models/dlib_face_recognition_resnet_model_v1.dat",
            "visavis[dlib]",
        ),
    ),
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    licence="CC0-1.0",
    trained_on="3 million web photos of 7,485 people (face scrub, VGG and more)",
    contract=InputContract(colour="rgb", size=(150, 150), template="dlib-150"),
    dimension=128,
    calibration="dlib.resnet-v1",
    paper="King, High Quality Face Recognition with Deep Metric Learning, blog.dlib.net, 2017",
    notes=(
        "A cross-check, not a default: its published threshold is on distances, the shipped calibration on cosines.",
        "Crops follow a template fitted to dlib's own chips, so templates differ a little from face_recognition's.",
    ),
)
