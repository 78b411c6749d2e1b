"""Studies with labels, masks or reports, from phantoms, implanted lesions, CT-RATE and DICOM folders, as one kind."""
