// LLaVA-OneVision's image pre-processing: a picture, and the crops of its grid, as views of patches.
#pragma once

#include <filesystem>

#include "family/chat_processor.h"
#include "family/llava_onevision/config.h"
#include "family/llava_onevision/views.h"
#include "family/picture_settings.h"
#include "picture/picture.h"

namespace vlsi {

/// How pictures are normalised: as the image_processor part of a 5.x processor_config.json, or
/// preprocessor_config.json, says, whose class has CLIP's values; as SigLIP's are where a directory has neither. Error
/// when its size of a view or its grids are not those of `model`.
Normalisation load_llava_onevision_normalisation(const std::filesystem::path& directory,
                                                 const LlavaOnevisionConfig& model);

/// A picture that is its conversation's only one: the whole, resized to a view whatever its sides, and the views of its
/// grid, in which it is resized and has a black border. Each view is normalised and cut into patches row by row; what
/// is left of a view at its right and lower side is not read. Error naming `place` for a picture that is so thin that
/// reducing its patches leaves none.
PicturePatches cut_grid(const Image& image, const LlavaOnevisionConfig& config, const Normalisation& normalisation,
                        const std::string& place);

/// A picture beside others: one view, of the picture in the middle of a square of the mean colour. Error naming `place`
/// for a picture that is so long that the square has more than kMostImagePixels.
PicturePatches cut_view(const Image& image, const LlavaOnevisionConfig& config, const Normalisation& normalisation,
                        const std::string& place);

/// Pictures as this family's tower reads them: a conversation's only one in a grid of views, several as one view each.
/// A picture's own limits are those of other families' and mean nothing here.
class LlavaOnevisionPictureReader : public PictureReader {
 public:
  /// Errors are those of load_llava_onevision_normalisation.
  LlavaOnevisionPictureReader(const std::filesystem::path& directory, const LlavaOnevisionConfig& model)
      : config_(model), normalisation_(load_llava_onevision_normalisation(directory, model)) {}

  PicturePatches read(const Image& image, const PictureLimits& limits, size_t num_pictures,
                      const std::string& place) const override;
  PictureShape shape(const ImageSize& size, const PictureLimits& limits, size_t num_pictures,
                     const std::string& place) const override;
  std::array<int64_t, 3> token_grid(const PictureShape& picture) const override;
  std::string settings_text() const override;

 private:
  LlavaOnevisionConfig config_;
  Normalisation normalisation_;
};

}  // namespace vlsi
