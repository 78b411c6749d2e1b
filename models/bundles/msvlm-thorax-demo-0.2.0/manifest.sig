{
 "algorithm": "Ed25519",
 "key_id": "1f689d8818ecbc5fdd7dc76daeeeafd64c14ffe2513e44a80cb912d45cae139b",
 "signature": "vgfZj+Qh/lkARdcayL6u63BH3G79I/JGK0eB3sf6bMMUdwawg8zzA3pvFdhXETjg7OdKOrGLfVOedYwGRRziCw=="
}
