"""Settings that a deployment fixes: `agent.yaml`, overridden by environment variables.

A variable is named PACS_AGENT_<SECTION>__<SETTING>, for example PACS_AGENT_DIMSE__PORT=104. Everything an operator
changes while the agent runs (peers, destinations, rules) is in the database instead.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

REPOSITORY = Path(__file__).resolve().parent.parent
REPOSITORY_BUNDLES = REPOSITORY / "models" / "bundles"
REPOSITORY_VIEWER = REPOSITORY / "ohif-extension" / "viewer"
REPOSITORY_PLUGIN = REPOSITORY / "ohif-extension" / "dist"
PACKAGED_KEYS = Path(__file__).resolve().parent / "trusted_keys"


def check_ae_title(value: str) -> str:
    """A valid AE title. PS3.5 6.2: 1 to 16 characters of the default repertoire, no backslash, not all spaces."""
    if not 1 <= len(value.strip()) <= 16 or "\\" in value or not value.isascii() or not value.isprintable():
        raise ValueError(f"{value!r} is not an AE title: 1 to 16 printable ASCII characters without a backslash")
    return value.strip()


def check_long_string(value: str) -> str:
    """Text of VR LO. PS3.5 6.2: 1 to 64 characters, no backslash, no control characters."""
    if not 1 <= len(value.strip()) <= 64 or "\\" in value or not value.isprintable():
        raise ValueError(f"{value!r} cannot stand in DICOM: 1 to 64 printable characters without a backslash")
    return value.strip()


def check_origin(value: str) -> str:
    """A web origin as browsers send it. RFC 6454 6.2: scheme, host and port, nothing more."""
    if not re.fullmatch(r"https?://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:\d{1,5})?", value):
        raise ValueError(f"{value!r} is not an origin: https://host or https://host:port, lower case, no path")
    return value


def check_base_url(value: str) -> str:
    """The address of a web service, without a slash at its end, query or fragment."""
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", value):
        raise ValueError(f"{value!r} is not an address: https://host/path, without user, query or fragment")
    return value.rstrip("/")


AETitle = Annotated[str, AfterValidator(check_ae_title)]
LongString = Annotated[str, AfterValidator(check_long_string)]
Origin = Annotated[str, AfterValidator(check_origin)]
BaseUrl = Annotated[str, AfterValidator(check_base_url)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DimseTlsSettings(_Section):
    """DICOM over TLS, by the BCP 195 profiles of PS3.15 B.9 and B.10: the certificate serves at both ends."""

    certificate: Path = Field(description="PEM file of our certificate, with those between it and the authority")
    key: Path = Field(description="PEM file of its private key, without a password")
    ca_file: Path = Field(description="PEM file of the authorities that sign the certificates of the other nodes")
    crl_file: Path | None = Field(None, description="PEM file of the certificates that the authorities revoked")
    port: int = Field(2762, ge=0, le=65535, description="TCP port of the listener for DICOM over TLS")
    require_client_certificate: bool = Field(True, description="must who connects show a certificate of his own?")
    only: bool = Field(False, description="listen with TLS only, not on `dimse.port`")


class DimseSettings(_Section):
    """The DICOM listener."""

    ae_title: AETitle = Field("PACSAGENT", description="AE title we answer to; any other called AE title is rejected")
    host: str = Field(
        "127.0.0.1", description="address the listener binds; `::` is all addresses of the machine, IPv4 and IPv6"
    )
    port: int = Field(11112, ge=0, le=65535, description="TCP port of the listener")
    processes: int = Field(0, ge=0, le=64, description="receiving processes on the port; 0 = one per core, at most 4")
    max_associations: int = Field(
        32,
        ge=1,
        description="associations served at a time; the last quarter is kept for registered hosts",
    )
    max_associations_per_peer: int = Field(
        24, ge=1, description="associations of one AE title at one address at a time; further ones are rejected"
    )
    max_waiting: int = Field(
        128, ge=1, description="connections of a process that asked for no association yet; the oldest gives way"
    )
    max_waiting_per_address: int = Field(
        32, ge=1, description="such connections of one address; its oldest gives way to its next"
    )
    max_object_mb: int = Field(4096, ge=1, le=65536, description="largest instance taken by C-STORE, in MB")
    negotiation_timeout_s: float = Field(30, gt=0, description="from the connection to the whole association request")
    network_timeout_s: float = Field(60, gt=0, description="an idle association is aborted after this time")
    pdu_timeout_s: float = Field(60, gt=0, description="from the first byte of a PDU to its last")
    message_timeout_s: float = Field(1800, gt=0, description="from the first fragment of a message to its last")
    tls: DimseTlsSettings | None = Field(None, description="DICOM over TLS; without it nothing is encrypted")


class PacsDicomWeb(_Section):
    """The DICOMweb service of a PACS whose images the viewer shows; the credentials never leave the server."""

    url: BaseUrl = Field(description="base address of the service, such as https://pacs.example/dicom-web")
    user: str | None = Field(None, description="user of HTTP Basic authentication")
    password: SecretStr | None = Field(None, description="password of HTTP Basic authentication")
    token: SecretStr | None = Field(None, description="bearer token, in the place of user and password")
    ca_file: Path | None = Field(None, description="PEM file of the authority that signed the service's certificate")


class OidcSettings(_Section):
    """Log in by an identity provider: OpenID Connect, authorization code flow with PKCE."""

    issuer: BaseUrl = Field(description="address of the provider, below which /.well-known/openid-configuration lies")
    client_id: str = Field(min_length=1, description="what the provider calls this agent")
    client_secret: SecretStr | None = Field(None, description="secret of a confidential client")
    redirect_uri: BaseUrl = Field(
        description="address of /login/provider/back as browsers reach it; it is registered at the provider"
    )
    label: str = Field("Log in with your hospital account", max_length=64, description="what the button says")
    scope: str = Field("openid profile", description="scopes asked for, apart by spaces; openid is one")
    login_claim: str = Field("preferred_username", description="claim that becomes the user name here")
    roles_claim: str = Field("groups", description="claim with groups or roles; a path such as realm_access.roles")
    roles: dict[str, Literal["viewer", "reviewer", "operator", "admin", "auditor"]] = Field(
        min_length=1, description="role for each value of that claim; who has none of them is not let in"
    )
    ca_file: Path | None = Field(None, description="PEM file of the authority that signed the provider's certificate")


class WebSettings(_Section):
    """DICOMweb, health, login, viewer and its interfaces."""

    host: str = Field("127.0.0.1", description="address the web server binds")
    port: int = Field(8080, ge=0, le=65535, description="TCP port of the web server")
    threads: int = Field(24, ge=1, description="requests served at a time; an open study holds one for its events")
    token: SecretStr | None = Field(
        None, description="bearer token of machines, which may then do what operators and viewers may"
    )
    behind_tls_proxy: bool = Field(
        False, description="a TLS proxy stands before the web server; needed for any address but loopback"
    )
    proxy_address: str = Field(
        "127.0.0.1", description="address of that proxy, whose X-Forwarded headers are believed; * is any"
    )
    session_hours: float = Field(10, gt=0, le=24, description="a login ends after this time")
    max_stow_mb: int = Field(2048, ge=1, description="largest STOW-RS request accepted, in MB")
    events_max: int = Field(16, ge=0, description="event streams at a time, never more than half of the threads")
    viewer_dir: Path = Field(REPOSITORY_VIEWER, description="folder of the OHIF viewer that is served")
    plugin_dir: Path = Field(REPOSITORY_PLUGIN, description="folder of our plugin of the viewer")
    viewer_origins: tuple[Origin, ...] = Field(
        (), description="origins of other viewers that may ask here with a login, such as https://ohif.example"
    )
    pacs: PacsDicomWeb | None = Field(None, description="DICOMweb service of the PACS that the viewer shows")
    oidc: OidcSettings | None = Field(None, description="identity provider by which people log in too")
    outbound_loopback: bool | None = Field(
        None,
        description="may destinations and webhooks be on this machine? Unset: while only this machine reaches us",
    )


class AssembleSettings(_Section):
    """When a study is complete."""

    quiet_s: float = Field(
        30, ge=0, description="a study is complete when nothing new came for this time, without any other sign"
    )
    poll_s: float = Field(0.5, gt=0, description="how often it is checked whether studies are complete")
    ask_source: Literal["auto", "off"] = Field(
        "auto", description="auto asks the sender how many instances a study has, where a destination is that sender"
    )
    settle_s: float = Field(
        2, gt=0, description="how long a count at the source was the same, or storage commitment the last word"
    )


class InferenceSettings(_Section):
    """How models run."""

    bundles_dir: Path = Field(REPOSITORY_BUNDLES, description="folder of the model bundles")
    provider: Literal["auto", "cuda", "cpu"] = Field(
        "auto", description="onnxruntime provider: auto takes the GPU where there is one; cuda refuses to fall back"
    )
    precision: Literal["auto", "fp32", "int8", "fp16"] = Field(
        "auto",
        description="of the slice encoder: auto is fp16 on the GPU, and int8 on the CPU where that costs nothing",
    )
    trusted_keys: Path = Field(PACKAGED_KEYS, description="folder of the public keys whose bundles may run")
    threads: int = Field(0, ge=0, description="threads that compute; 0 = one per core")
    tensorrt_dir: Path | None = Field(
        None, description="TensorRT runs the encoder where it is installed, and keeps its engines here; none = CUDA"
    )
    batch_slices: int = Field(0, ge=0, description="slices encoded in one run; 0 = as many as suit cores or GPU")
    segment: bool = Field(True, description="outline and measure what is read, where a segmenter is installed for it")


class DecodingSettings(_Section):
    """Processes in which compressed pixel data are decoded."""

    processes: int = Field(2, ge=1, le=64, description="processes that decode compressed images, for each worker")
    memory_mb: int = Field(2048, ge=512, description="memory that one of them may take, in MB")
    slice_s: float = Field(20, gt=0, le=600, description="a slice that takes longer is given up")


class AheadSettings(_Section):
    """Slices that are read before their study is complete."""

    enabled: bool = Field(True, description="encode slices while the rest of their study still arrives")
    poll_s: float = Field(0.2, gt=0, le=60, description="how often the index is asked for new images")
    batch_slices: int = Field(4, ge=1, description="slices encoded in one run; a job that begins waits for none")
    max_waiting_slices: int = Field(
        4000, ge=1, description="slices that wait for the encoder; more are encoded when their study is complete"
    )
    max_slices_per_study: int = Field(2000, ge=1, description="slices of one study that are encoded ahead")
    max_slices_per_minute: int = Field(
        6000, ge=1, description="slices encoded ahead in a minute; the rest when their study is complete"
    )


class WorkSettings(_Section):
    """The durable workflow."""

    concurrency: int = Field(1, ge=1, description="jobs run at a time by one worker")
    heartbeat_s: float = Field(5, gt=0, description="how often a worker says that it lives")
    takeover_s: float = Field(20, gt=0, description="a worker silent for this time is dead; others take its jobs")


class ResultsSettings(_Section):
    """What results say of the place where the agent works."""

    organization: LongString = Field(
        "not stated", description="the hospital or practice in whose name reports are verified, at most 64 characters"
    )
    compare_with_prior: bool = Field(
        True, description="say what changed since the latest earlier study of the patient that the model has read here"
    )
    prior_at_source: Literal["off", "find"] = Field(
        "off", description="find: where it has read none, the peer is asked for one, which is fetched and read"
    )
    prior_wait_s: float = Field(60, gt=0, le=900, description="longest that a report waits for an earlier study")
    prior_years: float = Field(5, gt=0, le=100, description="how old an earlier study may be that is fetched, in years")
    prior_studies: int = Field(2, ge=1, le=10, description="earlier studies fetched for a report at most, latest first")
    key_objects: bool = Field(
        False, description="write the strongest slices of each finding as Key Object Selection (KO) too"
    )
    saliency_maps: Literal["off", "patches", "images"] = Field(
        "off", description="write where each finding is seen: by patches, or laid on the images, which viewers overlay"
    )
    secondary_capture: bool = Field(
        False, description="write a summary of the reading on one page as Secondary Capture (SC) too"
    )
    fhir: bool = Field(False, description="offer readings as FHIR R4 DiagnosticReport too, by the JSON API")


class DeliverSettings(_Section):
    """Delivery of results."""

    attempts: int = Field(300, ge=1, description="attempts on a network error before the dead letters; 300 is two days")
    backoff_s: float = Field(2, gt=0, description="wait after the first failed attempt; doubles each time")
    backoff_max_s: float = Field(600, gt=0, description="longest wait between two attempts")
    timeout_s: float = Field(30, gt=0, description="time limit of one connection or response")
    commitment_wait_s: float = Field(
        3600, gt=0, description="a request of storage commitment that is not answered for this time is made again"
    )


class BringInSettings(_Section):
    """Studies and files that people bring in."""

    concurrency: int = Field(2, ge=1, le=16, description="transfers at a time")
    max_unpacked_gb: float = Field(50, gt=0, description="most that the files of one upload may hold unpacked, in GB")
    folder: Path | None = Field(None, description="watched folder; what is moved into it is taken in")
    folder_poll_s: float = Field(5, gt=0, description="how often the watched folder is looked into")


class Settings(BaseSettings):
    """All settings. Unknown names are refused, so that a typing error is found at start."""

    model_config = SettingsConfigDict(
        env_prefix="PACS_AGENT_", env_nested_delimiter="__", yaml_file="agent.yaml", extra="forbid", frozen=True
    )

    data_dir: Path = Field(Path("var"), description="folder of the archive, the token cache and the SQLite databases")
    database_url: str | None = Field(None, description="SQLAlchemy URL; default is SQLite in data_dir")
    dimse: DimseSettings = DimseSettings()
    web: WebSettings = WebSettings()
    assemble: AssembleSettings = AssembleSettings()
    inference: InferenceSettings = InferenceSettings()
    decoding: DecodingSettings = DecodingSettings()
    ahead: AheadSettings = AheadSettings()
    work: WorkSettings = WorkSettings()
    results: ResultsSettings = ResultsSettings()
    deliver: DeliverSettings = DeliverSettings()
    bring_in: BringInSettings = BringInSettings()
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe log line written")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over the file."""
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)

    @property
    def sqlalchemy_url(self) -> str:
        """URL of the agent's own tables."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'pacs-agent.sqlite'}"

    @property
    def workflow_url(self) -> str:
        """URL of the DBOS tables: the same Postgres server, or a second SQLite file so that neither locks the other."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'workflow.sqlite'}"


def load_settings(path: Path | None = None) -> Settings:
    """Settings from a file (default `agent.yaml` in the working directory, if there) and the environment.

    Raises FileNotFoundError when a file is named and missing, pydantic.ValidationError when a value is wrong.
    """
    if path is None:
        return Settings()
    if not path.is_file():
        raise FileNotFoundError(f"no settings file at {path}; create it or leave out --config for the defaults")
    named = type("Settings", (Settings,), {"model_config": SettingsConfigDict(yaml_file=path)})
    settings: Settings = named()
    return settings
