{
 "algorithm": "Ed25519",
 "key_id": "f34401ca31d249aed550797b74198457c6e3cf31758dea84fed7cbc297ae4a3a",
 "signature": "g/sM+IbV/i+zengpBQW+HYTXd3dgNp+AetxO5dN0WzvsdM75Ckj8Pam37kw4uAS/fC0VsXNDdftWetrsfOalBg=="
}
