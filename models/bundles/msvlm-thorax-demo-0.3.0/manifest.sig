{
 "algorithm": "Ed25519",
 "key_id": "0b0adb8d6de353e4ba618f8a76ffffe7217bed7542b3848889d577c4474d8dfe",
 "signature": "j1zVoE/Gl5rjPUC0k4LzR5WOFOBfHdT+Bef6XnMMoXPkLLc579kJCzcyniEnK9L/JdZJ6vZdTOBuCgJU7KF6Bw=="
}
