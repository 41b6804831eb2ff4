"""Frozen, validated, columnar results; numpy only."""

from visavis.types.analysis import Analysis
from visavis.types.assessment import Assessment
from visavis.types.candidates import Candidates
from visavis.types.crops import Crops
from visavis.types.decision import Answer, Decision
from visavis.types.explanation import Explanation, RegionEffect
from visavis.types.face_context import FaceContext
from visavis.types.faces import Faces
from visavis.types.identification import Identification, IdentifiedFace, PersonCandidate, SearchTerms
from visavis.types.operating_point import FMR, FPIR
from visavis.types.pictures import Picture, Pictures
from visavis.types.provenance import Provenance
from visavis.types.quality import Quality
from visavis.types.rate_interval import RateInterval, SearchRate
from visavis.types.second_opinion import SecondOpinion
from visavis.types.space import TemplateSpace
from visavis.types.status import Failure, Status
from visavis.types.templates import Templates, require_comparable

__all__ = [
    "FMR",
    "FPIR",
    "Analysis",
    "Answer",
    "Assessment",
    "Candidates",
    "Crops",
    "Decision",
    "Explanation",
    "FaceContext",
    "Faces",
    "Failure",
    "Identification",
    "IdentifiedFace",
    "PersonCandidate",
    "Picture",
    "Pictures",
    "Provenance",
    "Quality",
    "RateInterval",
    "RegionEffect",
    "SearchRate",
    "SearchTerms",
    "SecondOpinion",
    "Status",
    "TemplateSpace",
    "Templates",
    "require_comparable",
]
