"""The presets, by the names that the command line takes."""

from types import MappingProxyType

from tinygrad_ugan.gan import Config, Grid

PRESETS: MappingProxyType[str, Config] = MappingProxyType(
    {
        "ring": Config(),  # Metz et al. (2016), appendix A
        "ring-miniature": Config.miniature(),
        "ring-best": Config.miniature().updated(
            {
                "networks": {"noise": 2, "generator": (256, 256)},
                "generator_optimizer": {"lr": 5e-3},
                "discriminator_optimizer": {"lr": 5e-3},
                "batch": 512,
                "steps": 4_000,
            }
        ),
        "chainer": Config.chainer(),  # musyoku/unrolled-gan
        "grid": Config(data=Grid()),  # Srivastava et al. (2017), VEEGAN, section 4.1
    }
)
