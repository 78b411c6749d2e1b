{
 "algorithm": "Ed25519",
 "key_id": "50ce44882e7d6726630f965a4196798bcff4060fd53f5b549fb7c04d2c236372",
 "signature": "6CsS/BnsVDps2tOSOKyQ/S/BkBwvnT0hbAucw8HJ/OTc+J9CULtFGDF1R2NjXROtfI4nA374Q8TbxAfJAyX7BQ=="
}
