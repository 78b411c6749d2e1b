// PixelMed's SR checker on several files in one JVM: its style sheets take ten seconds to compile, a file half a second.

import com.pixelmed.validate.DicomSRValidator;

public class ValidateMany {
    public static void main(String[] paths) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        for (String path : paths) {
            System.out.println("FILE " + path);
            try {
                System.out.println(validator.validate(path));
            } catch (Exception failure) {
                System.out.println("Error: cannot be read: " + failure);
            }
        }
    }
}
