{
 "algorithm": "Ed25519",
 "key_id": "c1a33352fac0bfbb900a3de093e7953152ff5d49b692533af991c626fc93ec86",
 "signature": "Rias9YVgJSHH3KTJFq9ongHMUyyYZpSnWK2JGdSaWtKjq0YUVJ6CsnwkKtqQ/p63g+g/aoD1CJq2NpWg655iBA=="
}
