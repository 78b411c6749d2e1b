"""How radiologists say each finding. The first wording of each kind is the most frequent.

Slots, each a function of the place, grade or count of the finding's attributes and of nothing else:

{grade} {degree}   size or severity as adjective ("mild") and as adverb ("mildly")
{in_}              "in the right upper lobe", "in the lower lobes", "in the right lung", "in both lungs", or nothing
{sided}            "right", "left", "bilateral", or nothing
{on_side}          "on the right", "on the left", "on both sides", or nothing
{q} {s} {is_}      "a", "a few" or "multiple"; the plural's "s"; "is" or "are"
{both_s}           the plural's "s" of what lies on both sides

Words and marks are separated by spaces. Never a number: a number in a report comes from a measurement.
"""

from dataclasses import dataclass

from models.phantoms.findings import Finding


@dataclass(frozen=True)
class Wording:
    """The sentences for one finding."""

    present: tuple[str, ...]
    absent: tuple[str, ...]
    uncertain: tuple[str, ...]
    impression: tuple[str, ...]


WORDINGS: dict[Finding, Wording] = {
    Finding.MEDICAL_MATERIAL: Wording(
        present=(
            "Medical material is present .",
            "There is medical material in the chest .",
            "Implanted medical material is seen .",
            "Medical device material is noted in the chest .",
            "A medical device is seen in the field of view .",
            "Metallic or catheter material of a medical device is present .",
        ),
        absent=(
            "No medical material .",
            "There is no medical device in the chest .",
            "No catheter , implant or metallic material is seen .",
            "No implanted material .",
        ),
        uncertain=(
            "Medical material cannot be excluded .",
            "A medical device is possible but not certain .",
            "It is uncertain whether medical material is present .",
        ),
        impression=("Medical material in the chest .", "Medical device present .", "Implanted medical material ."),
    ),
    Finding.LUNG_NODULE: Wording(
        present=(
            "There {is_} {q} {grade} pulmonary nodule{s} {in_} .",
            "{q} {grade} lung nodule{s} {is_} seen {in_} .",
            "{q} {grade} nodule{s} {is_} present {in_} .",
            "{q} {grade} pulmonary nodule{s} {is_} noted {in_} .",
            "There {is_} {q} {grade} nodular lesion{s} {in_} .",
            "{q} {grade} nodule{s} can be seen {in_} .",
            "The lungs show {q} {grade} nodule{s} {in_} .",
        ),
        absent=(
            "No lung nodule .",
            "There is no pulmonary nodule .",
            "No suspicious pulmonary nodule is seen .",
            "The lungs are free of nodules .",
            "No nodule or mass in the lungs .",
        ),
        uncertain=(
            "A lung nodule cannot be excluded .",
            "A small pulmonary nodule is possible .",
            "It is uncertain whether there is a lung nodule .",
        ),
        impression=(
            "{q} {grade} pulmonary nodule{s} {in_} .",
            "{q} {grade} lung nodule{s} {in_} .",
            "{q} {grade} nodule{s} {in_} , follow-up according to risk .",
        ),
    ),
    Finding.LUNG_OPACITY: Wording(
        present=(
            "There are {grade} ground-glass opacities {in_} .",
            "{grade} ground-glass opacity is seen {in_} .",
            "{grade} areas of ground-glass attenuation are present {in_} .",
            "{grade} hazy opacities are noted {in_} .",
            "There is {grade} ground-glass density {in_} .",
            "{grade} lung opacities through which vessels are visible are seen {in_} .",
            "{grade} ground-glass infiltrates are present {in_} .",
        ),
        absent=(
            "No lung opacity .",
            "There is no ground-glass opacity .",
            "No ground-glass opacities or infiltrates are seen .",
            "The lungs are free of opacities .",
        ),
        uncertain=(
            "Ground-glass opacity cannot be excluded .",
            "Faint ground-glass opacity is possible .",
            "It is uncertain whether there is a lung opacity .",
        ),
        impression=(
            "{grade} ground-glass opacities {in_} .",
            "{grade} lung opacities {in_} .",
            "{grade} ground-glass opacity {in_} .",
        ),
    ),
    Finding.CONSOLIDATION: Wording(
        present=(
            "There is {grade} consolidation {in_} .",
            "{grade} airspace consolidation is present {in_} .",
            "{grade} consolidation is seen {in_} .",
            "There is {grade} consolidated lung {in_} .",
            "{grade} alveolar consolidation is noted {in_} .",
            "{grade} parenchymal consolidation obscures the vessels {in_} .",
        ),
        absent=(
            "No consolidation .",
            "There is no airspace consolidation .",
            "No consolidated lung is seen .",
            "The lungs are free of consolidation .",
        ),
        uncertain=(
            "Consolidation cannot be excluded .",
            "Early consolidation is possible .",
            "It is uncertain whether there is consolidation .",
        ),
        impression=(
            "{grade} consolidation {in_} .",
            "{grade} airspace consolidation {in_} .",
            "{grade} consolidation {in_} , pneumonia to be considered .",
        ),
    ),
    Finding.ATELECTASIS: Wording(
        present=(
            "There is {grade} atelectasis {in_} .",
            "{grade} atelectasis is seen {in_} .",
            "{grade} atelectatic changes are present {in_} .",
            "{grade} atelectatic collapse of lung is noted {in_} .",
            "There are {grade} atelectatic changes {in_} .",
            "{grade} subsegmental atelectasis is present {in_} .",
        ),
        absent=(
            "No atelectasis .",
            "There is no atelectatic change .",
            "No atelectatic lung is seen .",
            "The lungs are free of atelectasis .",
        ),
        uncertain=(
            "Minor atelectasis cannot be excluded .",
            "Atelectasis is possible .",
            "It is uncertain whether there is atelectasis .",
        ),
        impression=("{grade} atelectasis {in_} .", "{grade} atelectatic changes {in_} ."),
    ),
    Finding.FIBROTIC_SEQUELA: Wording(
        present=(
            "There are {grade} fibrotic sequelae {in_} .",
            "{grade} fibrotic changes are seen {in_} .",
            "{grade} sequelae of fibrosis are present {in_} .",
            "{grade} fibrotic scarring is noted {in_} .",
            "There is {grade} pulmonary fibrosis of sequela type {in_} .",
            "{grade} fibrotic sequela changes are observed {in_} .",
        ),
        absent=(
            "No fibrotic sequela .",
            "There is no pulmonary fibrosis .",
            "No fibrotic change or scarring is seen .",
            "The lungs are free of fibrotic change .",
        ),
        uncertain=(
            "Minor fibrotic change cannot be excluded .",
            "Fibrotic sequelae are possible .",
            "It is uncertain whether there is fibrotic scarring .",
        ),
        impression=("{grade} fibrotic sequelae {in_} .", "{grade} fibrotic changes {in_} ."),
    ),
    Finding.EMPHYSEMA: Wording(
        present=(
            "There is {grade} emphysema {in_} .",
            "{grade} emphysema is present {in_} .",
            "{grade} emphysematous changes are seen {in_} .",
            "There are {grade} emphysematous changes {in_} .",
            "{grade} pulmonary emphysema is noted {in_} .",
            "{grade} emphysematous destruction of lung is observed {in_} .",
        ),
        absent=(
            "No emphysema .",
            "There is no emphysematous change .",
            "No emphysematous lung is seen .",
            "The lungs are free of emphysema .",
        ),
        uncertain=(
            "Early emphysema cannot be excluded .",
            "Slight emphysema is possible .",
            "It is uncertain whether there is emphysema .",
        ),
        impression=("{grade} emphysema {in_} .", "{grade} emphysematous changes {in_} ."),
    ),
    Finding.MOSAIC_ATTENUATION: Wording(
        present=(
            "There is a {grade} mosaic attenuation pattern .",
            "A {grade} mosaic attenuation pattern is seen in the lungs .",
            "{grade} mosaic attenuation of the lung parenchyma is present .",
            "The lungs show {grade} mosaic attenuation .",
            "{grade} mosaic perfusion is noted .",
            "A {grade} mosaic pattern of attenuation is present .",
        ),
        absent=(
            "No mosaic attenuation pattern .",
            "There is no mosaic attenuation .",
            "The lungs are of even attenuation without a mosaic pattern .",
            "No mosaic perfusion .",
        ),
        uncertain=(
            "A mosaic attenuation pattern cannot be excluded .",
            "Slight mosaic attenuation is possible .",
            "It is uncertain whether there is mosaic attenuation .",
        ),
        impression=("{grade} mosaic attenuation pattern .", "{grade} mosaic attenuation of the lungs ."),
    ),
    Finding.SEPTAL_THICKENING: Wording(
        present=(
            "There is {grade} interlobular septal thickening {in_} .",
            "{grade} interlobular septal thickening is seen {in_} .",
            "{grade} thickening of the interlobular septa is present {in_} .",
            "{grade} thickened interlobular septa are noted {in_} .",
            "{grade} septal lines are seen {in_} .",
            "The interlobular septa are {degree} thickened {in_} .",
        ),
        absent=(
            "No interlobular septal thickening .",
            "There is no thickening of the interlobular septa .",
            "No septal lines are seen .",
            "The interlobular septa are not thickened .",
        ),
        uncertain=(
            "Interlobular septal thickening cannot be excluded .",
            "Slight septal thickening is possible .",
            "It is uncertain whether the interlobular septa are thickened .",
        ),
        impression=("{grade} interlobular septal thickening {in_} .", "{grade} septal thickening {in_} ."),
    ),
    Finding.BRONCHIECTASIS: Wording(
        present=(
            "There is {grade} bronchiectasis {in_} .",
            "{grade} bronchiectasis is seen {in_} .",
            "{grade} bronchiectatic changes are present {in_} .",
            "There is {grade} dilatation of the bronchi {in_} .",
            "{grade} bronchial dilatation is noted {in_} .",
            "The bronchi are {degree} dilated {in_} .",
        ),
        absent=(
            "No bronchiectasis .",
            "There is no bronchial dilatation .",
            "The bronchi are not dilated .",
            "No bronchiectatic change is seen .",
        ),
        uncertain=(
            "Bronchiectasis cannot be excluded .",
            "Slight bronchial dilatation is possible .",
            "It is uncertain whether there is bronchiectasis .",
        ),
        impression=("{grade} bronchiectasis {in_} .", "{grade} bronchiectatic changes {in_} ."),
    ),
    Finding.PERIBRONCHIAL_THICKENING: Wording(
        present=(
            "There is {grade} peribronchial thickening {in_} .",
            "{grade} peribronchial thickening is seen {in_} .",
            "{grade} bronchial wall thickening is present {in_} .",
            "The bronchial walls are {degree} thickened {in_} .",
            "{grade} thickening of the bronchial walls is noted {in_} .",
            "There is {grade} peribronchial wall thickening {in_} .",
        ),
        absent=(
            "No peribronchial thickening .",
            "There is no bronchial wall thickening .",
            "The bronchial walls are not thickened .",
            "No thickening of the bronchial walls is seen .",
        ),
        uncertain=(
            "Peribronchial thickening cannot be excluded .",
            "Slight bronchial wall thickening is possible .",
            "It is uncertain whether the bronchial walls are thickened .",
        ),
        impression=("{grade} peribronchial thickening {in_} .", "{grade} bronchial wall thickening {in_} ."),
    ),
    Finding.PLEURAL_EFFUSION: Wording(
        present=(
            "There {both_is} {both_a} {grade} {sided} pleural effusion{both_s} .",
            "{both_a} {grade} {sided} pleural effusion{both_s} {both_is} present .",
            "{both_a} {grade} {sided} pleural effusion{both_s} {both_is} seen .",
            "{both_a} {grade} pleural effusion{both_s} {both_is} noted {on_side} .",
            "There is a {grade} amount of pleural fluid {on_side} .",
            "A {grade} amount of pleural fluid is present {on_side} .",
            "{both_a} {grade} effusion{both_s} {both_is} seen in the pleural space {on_side} .",
        ),
        absent=(
            "No pleural effusion .",
            "There is no pleural effusion .",
            "No pleural fluid is seen .",
            "The pleural spaces are free of fluid .",
        ),
        uncertain=(
            "A trace of pleural effusion cannot be excluded .",
            "Minimal pleural fluid is possible .",
            "It is uncertain whether there is pleural effusion .",
        ),
        impression=("{grade} {sided} pleural effusion{both_s} .", "{grade} pleural effusion{both_s} {on_side} ."),
    ),
    Finding.LYMPHADENOPATHY: Wording(
        present=(
            "There {is_} {q} {degree} enlarged lymph node{s} .",
            "{q} {degree} enlarged lymph node{s} {is_} seen .",
            "{q} {degree} enlarged thoracic lymph node{s} {is_} present .",
            "{grade} lymphadenopathy with {q} enlarged node{s} is noted .",
            "There is {grade} lymphadenopathy with {q} enlarged node{s} .",
            "{q} lymph node{s} {is_} {degree} enlarged in short axis .",
        ),
        absent=(
            "No enlarged lymph node .",
            "There is no lymphadenopathy .",
            "No mediastinal , hilar or axillary lymphadenopathy .",
            "The lymph nodes are not enlarged .",
            "No pathologically enlarged lymph nodes are seen .",
        ),
        uncertain=(
            "Lymphadenopathy cannot be excluded .",
            "A borderline lymph node is possible .",
            "It is uncertain whether there is lymphadenopathy .",
        ),
        impression=(
            "{grade} lymphadenopathy .",
            "{q} {degree} enlarged lymph node{s} .",
            "{grade} lymphadenopathy with {q} enlarged node{s} .",
        ),
    ),
    Finding.CARDIOMEGALY: Wording(
        present=(
            "The heart is {degree} enlarged .",
            "There is {grade} cardiomegaly .",
            "{grade} cardiomegaly is present .",
            "There is {grade} enlargement of the heart .",
            "The heart size is {degree} increased .",
            "{grade} enlargement of the cardiac chambers is seen .",
        ),
        absent=(
            "The heart is not enlarged .",
            "Heart size is normal .",
            "There is no cardiomegaly .",
            "The heart is of normal size .",
        ),
        uncertain=(
            "The heart is at the upper limit of normal size .",
            "Borderline heart size .",
            "It is uncertain whether the heart is enlarged .",
        ),
        impression=("{grade} cardiomegaly .", "{degree} enlarged heart ."),
    ),
    Finding.PERICARDIAL_EFFUSION: Wording(
        present=(
            "There is a {grade} pericardial effusion .",
            "A {grade} pericardial effusion is present .",
            "A {grade} pericardial effusion is seen .",
            "There is a {grade} amount of pericardial fluid .",
            "A {grade} effusion surrounds the heart .",
            "A {grade} amount of pericardial fluid is noted .",
        ),
        absent=(
            "No pericardial effusion .",
            "There is no pericardial effusion .",
            "No pericardial fluid is seen .",
            "The pericardium is free of fluid .",
        ),
        uncertain=(
            "A trace of pericardial effusion cannot be excluded .",
            "Minimal pericardial fluid is possible .",
            "It is uncertain whether there is pericardial effusion .",
        ),
        impression=("{grade} pericardial effusion .", "A {grade} pericardial effusion ."),
    ),
    Finding.CORONARY_CALCIFICATION: Wording(
        present=(
            "There is {grade} calcification of the coronary artery walls .",
            "{grade} coronary artery wall calcification is seen .",
            "{grade} coronary artery calcification is present .",
            "The coronary arteries are {degree} calcified .",
            "There are {grade} calcified plaques in the coronary arteries .",
            "{grade} calcific atherosclerosis of the coronary arteries is noted .",
        ),
        absent=(
            "No coronary artery calcification .",
            "The coronary arteries show no calcification .",
            "There is no calcified coronary plaque .",
            "No calcification of the coronary artery walls is seen .",
        ),
        uncertain=(
            "Slight coronary artery calcification cannot be excluded .",
            "Coronary artery calcification is possible .",
            "It is uncertain whether the coronary arteries are calcified .",
        ),
        impression=("{grade} coronary artery calcification .", "{grade} coronary atherosclerosis with calcification ."),
    ),
    Finding.ARTERIAL_CALCIFICATION: Wording(
        present=(
            "There is {grade} wall calcification of the thoracic aorta .",
            "{grade} calcified plaques are seen in the wall of the aorta .",
            "{grade} arterial wall calcification is present .",
            "The aortic wall is {degree} calcified .",
            "There is {grade} calcific atherosclerosis of the aorta .",
            "{grade} aortic wall calcification is noted .",
        ),
        absent=(
            "No calcification of the aortic wall .",
            "The aorta shows no wall calcification .",
            "There is no arterial wall calcification .",
            "No calcified aortic plaque is seen .",
        ),
        uncertain=(
            "Slight aortic wall calcification cannot be excluded .",
            "Arterial wall calcification is possible .",
            "It is uncertain whether the aortic wall is calcified .",
        ),
        impression=("{grade} aortic wall calcification .", "{grade} arterial wall calcification ."),
    ),
    Finding.HIATAL_HERNIA: Wording(
        present=(
            "There is a {grade} hiatal hernia .",
            "A {grade} hiatal hernia is present .",
            "A {grade} sliding hiatal hernia is seen .",
            "A {grade} hernia at the oesophageal hiatus is noted .",
            "There is a {grade} herniation of the stomach through the hiatus .",
            "Part of the stomach lies above the diaphragm in a {grade} hiatal hernia .",
        ),
        absent=(
            "No hiatal hernia .",
            "There is no hiatal hernia .",
            "The stomach lies below the diaphragm without hiatal hernia .",
            "No hernia at the oesophageal hiatus is seen .",
        ),
        uncertain=(
            "A small hiatal hernia cannot be excluded .",
            "A hiatal hernia is possible .",
            "It is uncertain whether there is a hiatal hernia .",
        ),
        impression=("{grade} hiatal hernia .", "A {grade} sliding hiatal hernia ."),
    ),
}

NORMAL_IMPRESSION: tuple[str, ...] = (
    "No acute finding in the chest .",
    "Normal CT of the chest .",
    "No abnormality is seen in the chest .",
    "Unremarkable CT of the chest .",
)

GRADES: dict[Finding, tuple[str, ...]] = {
    Finding.MEDICAL_MATERIAL: (),
    Finding.LUNG_NODULE: ("small", "medium-sized", "large"),
    Finding.LUNG_OPACITY: ("mild", "moderate", "extensive"),
    Finding.CONSOLIDATION: ("limited", "moderate", "extensive"),
    Finding.ATELECTASIS: ("minor", "moderate", "marked"),
    Finding.FIBROTIC_SEQUELA: ("mild", "moderate", "marked"),
    Finding.EMPHYSEMA: ("mild", "moderate", "severe"),
    Finding.MOSAIC_ATTENUATION: ("mild", "moderate", "marked"),
    Finding.SEPTAL_THICKENING: ("mild", "moderate", "marked"),
    Finding.BRONCHIECTASIS: ("mild", "moderate", "severe"),
    Finding.PERIBRONCHIAL_THICKENING: ("mild", "moderate", "marked"),
    Finding.PLEURAL_EFFUSION: ("small", "moderate", "large"),
    Finding.LYMPHADENOPATHY: ("mild", "moderate", "bulky"),
    Finding.CARDIOMEGALY: ("mild", "moderate", "marked"),
    Finding.PERICARDIAL_EFFUSION: ("small", "moderate", "large"),
    Finding.CORONARY_CALCIFICATION: ("mild", "moderate", "extensive"),
    Finding.ARTERIAL_CALCIFICATION: ("mild", "moderate", "extensive"),
    Finding.HIATAL_HERNIA: ("small", "medium-sized", "large"),
}
"""The words of a grade, from the least to the most: also `grades` of the bundle's manifest."""
